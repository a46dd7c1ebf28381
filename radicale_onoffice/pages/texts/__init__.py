"""What the pages say: a module per page, in each the same keys in every language."""
