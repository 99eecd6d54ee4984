-- +goose Up
-- BotHelp's id of the subscriber as a number, for numbers are read and compared in half the time; 0: nobody. BotHelp's ids
-- are numbers. Of another one it is a hash of 63 bits, which no number is taken for: among a million such ids two are alike
-- once in twenty million accounts. It makes an event two bytes larger, with the projections that have it in place of the text.
ALTER TABLE events ADD COLUMN IF NOT EXISTS subscriber_key UInt64 MATERIALIZED multiIf(
    bothelp_user_id = '', 0,
    bothelp_user_id = toString(toUInt64OrZero(bothelp_user_id)) AND toUInt64OrZero(bothelp_user_id) BETWEEN 1 AND 9223372036854775807, toUInt64OrZero(bothelp_user_id),
    bitOr(cityHash64(bothelp_user_id), 9223372036854775808)) CODEC(T64, ZSTD(1)) AFTER bothelp_user_id;
