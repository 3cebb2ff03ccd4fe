CREATE TABLE visits (page text PRIMARY KEY, count integer NOT NULL);
INSERT INTO visits VALUES ('start', 1), ('about', 2);
