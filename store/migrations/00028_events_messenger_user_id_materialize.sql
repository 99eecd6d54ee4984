-- +goose Up
-- For the parts from before the index: reads one column of them, in the background.
ALTER TABLE events MATERIALIZE INDEX messenger_user_id_bloom;
