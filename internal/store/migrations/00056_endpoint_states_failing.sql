-- +goose Up
-- Since when an endpoint has been failing, and the first line of its last answer.
ALTER TABLE endpoint_states
    ADD COLUMN IF NOT EXISTS failing_since DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS answer String;
