// Package simulate simulates a BotHelp account: some messengers, two flows, and subscribers who come from
// advertisements of different quality, drop out, return and talk to operators. It creates the requests that BotHelp
// would send, including faulty ones, and computes the true figures about them, against which tests check the
// dashboards.
//
// # Guarantees
//
//   - The same [Options] give the same requests, byte for byte with ids and times, in the same order, on any number of
//     processors. Every subscriber's life follows from the seed and the subscriber's number alone.
//   - The times of one subscriber's requests all differ, at [Options.Speed] 1 by two seconds or more: seconds are
//     enough to order them.
//   - Memory does not grow with the history, except for 16 bytes for each future request of subscribers who have
//     arrived.
//
// # Definitions
//
// A [Report] counts only the requests received in [From, To), like a dashboard with that range; the only exception is
// New. It comes from the simulated lives, never from requests or SQL.
//
// Accepted events count for the subscriber with their bothelp_user_id. Those without one (the body is empty or no JSON)
// count in Events, Verdicts, Kinds, DecodeErrors and StepEvents only. A flow event is one of the kind flow. Days and
// weeks are those of [Zone]; a week is named by its Monday. Retries (Duplicates) are events like others, except where
// it says so.
//
//   - Events, Verdicts: all requests, also those that are not accepted. Kinds, DecodeErrors: of accepted ones.
//   - Closed, Viewed: chat events without the retries.
//   - Subscribers: those with an accepted event. New are those whose first accepted event ever, at this source, lies in
//     the range; Returning are the others. In active_by_day and active_by_week New are those whose first accepted event
//     ever lies in the range and in that day or week.
//   - Steps: subscribers with a flow event at the step. StepEvents: accepted requests to it.
//   - Leads: subscribers with a flow event at the first goal.
//   - Reached[k]: leads with flow events at goals 0, 1, … k, each later than the one before, and the last at most
//     Within after the first. Other events between are allowed, and any visit to the first goal may be the beginning:
//     the semantics of ClickHouse's windowFunnel without a mode, over times finer than seconds or with Speed 1.
//     Conversions are those who reached the last goal; the conversion's moment is when that was first so.
//   - Contacts: subscribers with a flow event that has an e-mail address or a phone number; the contact's moment is the
//     first of these events. Within a Funnel: leads with a contact.
//   - by_channel: the messenger of the profile link. Cohorts: the day or week of the first visit to the first goal.
//   - A touch is a flow event that has utm_source, utm_medium or utm_campaign, at the same source. first_touch: each
//     lead, conversion and contact counts under the subscriber's first touch in the range. last_touch: under the last
//     touch not after the moment (of becoming a lead by the first visit to the first goal, of conversion, of contact).
//     latest_touch: under the last touch in the range. A subscriber without such a touch counts under empty tags.
//   - median_seconds_to_step: of subscribers who were at the goal before and at this one, in this order by their first
//     visits, the time between these two first visits; median_seconds_to_convert: the same for the first and last goal.
//     A median is the element number ⌊n/2⌋ of the sorted times, as quantileExact(0.5) has it.
//   - Untagged: flow events with none of the five tags, and subscribers who have flow events and only such.
//   - Spellings: by column and lower-case trimmed value, how many flow events have which spelling, where there are two
//     or more: lower(trimBoth(…)) in SQL (lowerUTF8 for other letters).
//
// [Report.All] treats all sources as one, and has no figures that depend on a funnel or on touches.
package simulate
