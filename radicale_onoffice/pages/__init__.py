"""Templates, texts and the style sheet of the pages."""
