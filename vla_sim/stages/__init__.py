"""The stages of the stack: one concept a file, implementations side by side."""
