-- Subscribers whose name, user name and e-mail contain all words of the search box in any order, or whose phone number has its
-- digits, in the selected time; or whose id it is, at any time. With an empty box, the last seen ones. Of a phone number the last
-- ten digits count, in any notation.
WITH
    trim(BOTH ' ' FROM decodeURLComponent('${who:percentencode}')) AS wanted,
    NOT match(wanted, '[^0-9+() -]') AS numeric,
    arrayMap(word -> trim(LEADING '@' FROM word), splitByChar(' ', trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(wanted)), 'ё', 'е'), '\\s+', ' ')))) AS words,
    arrayStringConcat(extractAll(right(replaceRegexpAll(wanted, '[^0-9]', ''), 10), '.'), '[^0-9]*') AS number
SELECT
    encodeURLComponent(bothelp_user_id) AS id,
    arrayStringConcat(
        arrayFilter(t -> t != '', [known_name, known_phone, known_email, concat('id ', bothelp_user_id)]), ' · ') AS name
FROM
(
    SELECT
        bothelp_user_id,
        argMaxIf(name, received_at, name != '') AS known_name,
        argMaxIf(phone, received_at, phone != '') AS known_phone,
        argMaxIf(email, received_at, email != '') AS known_email,
        max(received_at) AS seen
    FROM
    (
        SELECT bothelp_user_id, received_at, name, phone, email
        FROM events
        WHERE bothelp_user_id = wanted AND wanted != '' AND verdict = 'accepted'
        UNION ALL
        SELECT bothelp_user_id, received_at, name, phone, email
        FROM events
        WHERE $__timeFilter(received_at) AND verdict = 'accepted' AND bothelp_user_id NOT IN ('', wanted)
            AND (wanted != '' OR received_at >= (
                SELECT min(received_at)
                FROM (SELECT received_at FROM events WHERE $__timeFilter(received_at) ORDER BY received_at DESC LIMIT 300)
            ))
            AND (wanted = ''
                OR numeric AND (messenger_user_id = wanted OR length(number) > 4 AND match(phone, number))
                OR NOT numeric AND arrayAll(word -> position(search_text, word) > 0, words)
                    AND arrayAll(word -> position(trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(concat(name, ' ', email, ' ', messenger_username))), 'ё', 'е'), '\\s+', ' ')), word) > 0, words))
    )
    GROUP BY bothelp_user_id
    ORDER BY bothelp_user_id = wanted DESC, seen DESC
    LIMIT 100
)
ORDER BY bothelp_user_id = wanted DESC, seen DESC
