-- +goose Up
-- In the background, for what was stored before.
ALTER TABLE events MATERIALIZE PROJECTION newcomers;
