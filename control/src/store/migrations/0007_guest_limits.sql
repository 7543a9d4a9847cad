-- What a guest of a package may use of its host at most; null is no bound. What was sold stands in the server's spec.
ALTER TABLE packages ADD COLUMN cpu_weight INTEGER CHECK (cpu_weight > 0);
ALTER TABLE packages ADD COLUMN cpu_percent_max INTEGER CHECK (cpu_percent_max > 0);
ALTER TABLE packages ADD COLUMN disk_iops_max INTEGER CHECK (disk_iops_max > 0);
ALTER TABLE packages ADD COLUMN disk_mib_per_second_max INTEGER CHECK (disk_mib_per_second_max > 0);
