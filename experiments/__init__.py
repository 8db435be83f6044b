"""Frozen studies and the benchmark. Each study's README holds its question, command, figures and finding."""
