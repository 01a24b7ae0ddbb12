"""A distributed hash table of signed records: where peers are, who offers what. All it says is a hint, no proof."""
