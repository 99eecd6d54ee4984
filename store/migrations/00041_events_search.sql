-- +goose Up
-- What a search looks through: values in the form that Normalized in normalized.go has, with U+001F between two.
-- Numbers that have punctuation in them, such as phone numbers, follow once more as digits. Arrays of one element or none stand for
-- names of intermediate results and for conditions: an insert evaluates both branches of an if.
ALTER TABLE events
    -- What was read from the request: all of it, because package bothelp reads less than 256 KiB. A value that is part of another
    -- is left out: that takes 10 bytes off an event.
    ADD COLUMN IF NOT EXISTS search_text String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            [trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', step, name,
                if(position(name, first_name) > 0, '', first_name), if(position(name, last_name) > 0, '', last_name), email, phone, profile_link,
                if(position(profile_link, messenger_username) > 0, '', messenger_username),
                if(position(profile_link, messenger_user_id) > 0, '', messenger_user_id), cuid, ref, bothelp_user_id, channel,
                utm_source, utm_medium, utm_campaign, utm_content, utm_term, decodeURLFormComponent(query),
                arrayStringConcat(arrayMap((name, value) -> concat(name, ' ', value), mapKeys(fields), mapValues(fields)), '\x1F')), 1, 262144))), 'ё', 'е'), '\\s+', ' '))])) CODEC(ZSTD(6)),
    -- The path and 64 KiB of the body of a request that was rejected or could not be read as a whole. JSON is without its escapes and
    -- quotes, a form without its escapes. It expires with the body.
    ADD COLUMN IF NOT EXISTS search_body String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            arrayMap(raw -> trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', path, multiIf(
                    NOT match(raw, '^\\s*[{\\[]'), decodeURLFormComponent(raw),
                    position(raw, '\\') = 0, replaceAll(raw, '"', ' '),
                    simpleJSONExtractString(concat('{"text":"', replaceAll(replaceRegexpOne(replaceAll(replaceAll(raw, '\\\\', '/'), '\\"', ' '),
                        '\\\\(u[0-9A-Fa-f]{0,3})?$', ''), '"', ' '), '"}'), 'text'))), 1, 65536))), 'ё', 'е'), '\\s+', ' ')),
                if(verdict = 'accepted' AND decode_error = '', [], [substring(body, 1, 65536)])))) CODEC(ZSTD(3));
