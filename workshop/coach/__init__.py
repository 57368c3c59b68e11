"""The exercises in a terminal: they are listed, checked each time a file is saved, hinted at, solved and counted.

python -m workshop exercises              # all of them, and which are done
python -m workshop watch                  # the next one: its file is checked each time that you save it
python -m workshop watch mnist            # those of one lesson
python -m workshop hint mnist.2           # its next hint
python -m workshop solve mnist.2          # its solution, and why it is so
python -m workshop reset mnist.2          # a new file to begin with; the old one is kept
python -m workshop progress FOLDER        # the room's table, from the files of progress in a folder
"""
