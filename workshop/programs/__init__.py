"""What the console programs in `apps` share: options, asking for numbers, naming pictures, choosing an engine."""
