"""Two runs side by side: their cells in pairs, how far the pictures are apart, and a page of them."""
