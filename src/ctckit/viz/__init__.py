"""Pictures of lattices. Drawing in characters is part of the objects themselves: ``print(lattice)``."""
