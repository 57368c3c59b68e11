"""What the lessons share. The kit knows no lesson: arrows point from the lessons to the kit.

Every lesson: `cli` reads its options and `reporting` says its result; `device` prepares the machine, `engine` is what
it asks of the library that trains; `errors` has the one error that a user reads, `files` writes so that nothing is
lost, and `lazy` imports heavy libraries late.

Data: `data` says where it is looked for. Tables are read by `table_data`; `tabular` makes numbers of texts. MNIST and
Fashion-MNIST are loaded by `image_data`, with `published_images`, `image_files` and `image_download`. Photographs come
from `photos`, with `photo_sources`, `photo_listing` and `photo_decoding`; `subsets` takes fewer of them, `augmentation`
changes them. `series` and `windowing` have numbers in time, `text` characters, `two_classes` points. `synthetic`,
`drawings` and `animals`, both drawn with `pen`, stand in for what cannot be had. A picture of one's own is read by
`picture`; `segmentation` and `mnist_preprocessing` make it what the networks know.

Training: `fitting` is the loop over epochs in any engine, which `training_run` describes; `training` is for Keras, with
`keras_run`, and `photo_training` for photographs. `batching` orders the samples; `progress`, `progress_bar`, `history`
and `checkpoint` show, remember and resume.

Saved models: `bundle` saves and loads them, with `bundle_files`, `loaded_bundle`, `card`, `scaler` and `safety`;
`model` is what a trained one can do. A `.h5` is read by Keras in `keras_h5`, and without it in `h5`, which stands on
`hdf5`, `hdf5_bytes`, `hdf5_values` and `hdf5_objects`. What it is made of is in `architecture`, `layer_settings`,
`image_layers` and `sequence_layers`. `imagenet` finds published weights.

Figures: `plots` is their style; `charts`, `image_plots`, `contour_plots`, `diagrams` and `animation` draw.

What lessons of a kind share, or one lesson keeps beside its own story: `metrics`, `classifier`, `photo_classifier`,
`by_hand`, `side_by_side`, `gradient_engines`, `cell_engines`, `differentiation`, `evaluation`, `filtering`,
`reconstruction`, `unrolling`, and the figures `perceptron_plots`, `descent_plots` and `code_figures`.

`doctor` asks whether the machine is ready: `doctor_machine`, `doctor_lessons`, `doctor_findings`.
"""
