"""Plans from a language model behind any OpenAI-compatible endpoint, with the rules to fall back on."""
