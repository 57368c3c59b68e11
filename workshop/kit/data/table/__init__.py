"""A table as people have it, one step a module: from the bytes of a file to columns whose kinds are known.

`decoding` makes text of bytes, `splitting` cells of text, `layout` names and rows of cells, `numerals` numbers of
cells, and `columns` decides what each column holds. `workshop.kit.data.tables` takes the steps in order.
"""
