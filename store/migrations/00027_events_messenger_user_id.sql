-- +goose Up
-- Who is known by the messenger's id alone is found as fast as by BotHelp's.
ALTER TABLE events ADD INDEX IF NOT EXISTS messenger_user_id_bloom messenger_user_id TYPE bloom_filter(0.01) GRANULARITY 4;
