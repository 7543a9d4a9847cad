-- Words of which one is in the name of a host's processor that takes servers of the package, with spaces between; none: any.
ALTER TABLE packages ADD COLUMN cpu_models TEXT NOT NULL DEFAULT '';
