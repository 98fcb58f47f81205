"""What a worker process does first: it takes in TensorFlow without its start-up chatter.

Beam imports this module by its name, see `beam_options.parse`, before it unpickles any step.
"""

from beampose.trainer.quiet import import_tensorflow

import_tensorflow()
