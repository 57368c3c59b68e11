"""Sets of photos: folders and archives, decoding, augmentation."""
