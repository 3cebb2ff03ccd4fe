CREATE TABLE articles (name varchar(40) PRIMARY KEY, price integer NOT NULL);
INSERT INTO articles VALUES ('bolt', 1), ('gear', 20);
