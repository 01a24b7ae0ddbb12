"""What a node offers: measured by itself, signed, checked by whoever reads it, and compared to choose whom to ask."""
