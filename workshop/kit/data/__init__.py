"""Sources of data: shared folders, downloads, tables, series, texts, image sets, and their stand-ins."""
