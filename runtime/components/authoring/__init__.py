"""What authors of components need of us: headers of the worlds in their language."""
