"""A bound on the calls of networks in a process.

A call takes all cores, and keeps the maps between its layers in memory; a worker of Beam has many
threads, each of which would hold its own.
"""

import threading

# The second call begins where the first cannot use all cores.
AT_ONCE = threading.BoundedSemaphore(2)
