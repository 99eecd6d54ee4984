-- +goose Up
-- Like the two after it, in the background, for what was stored before. A change of the table would wait for it.
ALTER TABLE events MATERIALIZE COLUMN subscriber_key;
