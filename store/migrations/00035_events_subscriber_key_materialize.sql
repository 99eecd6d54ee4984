-- +goose Up
-- For what was stored before, in the background, in one go. A change of the table would wait for it.
ALTER TABLE events MATERIALIZE COLUMN subscriber_key, MATERIALIZE PROJECTION visits, MATERIALIZE PROJECTION newcomers;
