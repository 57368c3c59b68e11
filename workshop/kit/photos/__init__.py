"""Sets of photographs: folders and archives, decoding, augmentation."""
