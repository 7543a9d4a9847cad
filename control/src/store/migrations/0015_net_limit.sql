-- What the public adapters of a package's guest send in a second at most, and receive; null is no bound.
ALTER TABLE packages ADD COLUMN net_mbit_per_second_max INTEGER CHECK (net_mbit_per_second_max > 0);
