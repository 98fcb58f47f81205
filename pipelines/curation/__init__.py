"""Changes people's labels or picks frames and crops for them. No Beam."""
