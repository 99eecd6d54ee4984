-- +goose Up
-- BotHelp's dates are whole seconds. An event takes 5 bytes less than without GCD; parts get the codec as they are merged.
ALTER TABLE events
    MODIFY COLUMN created_at CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN first_contact_at CODEC(GCD, ZSTD(1)),
    MODIFY COLUMN last_contact_at CODEC(GCD, ZSTD(1));
