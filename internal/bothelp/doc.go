// Package bothelp decodes BotHelp's webhooks: it decodes bodies into [event.Decoded], verifies the signature of chat
// webhooks, and determines a subscriber's messenger from the link to the profile.
//
// # What Decode promises
//
//   - It never fails as a whole and never panics: it decodes as much as possible, and DecodeError describes the rest.
//   - DecodeError names the first key with a problem, and the body where that is damaged, with the byte offset in the
//     body (after decompression, and in UTF-8). It contains no value of any key, and may be logged.
//   - Bodies in windows-1251 are decoded if the Content-Type names it or the bytes can hardly be anything else. NUL and
//     invalid characters become U+FFFD, and DecodeError names the key.
//   - The result is valid UTF-8 without NUL, bounded in size (see limits.go) for any body, and shares no memory with
//     the body.
//   - The same request always gives the same result; Decode may be called from many goroutines.
//
// It trusts no header: the body has precedence over the Content-Type, and a Content-Encoding that the body contradicts
// is reported and ignored.
//
// # Kinds of webhooks
//
// BotHelp sends a flow webhook (a flat object, the subscriber) when a subscriber reaches a step of a bot, and a chat
// webhook (event, event_timestamp, and more that its help pages do not spell out) when something happens in
// Conversations. See kind.go for how the two are told apart, and nested.go for the subscriber of a chat webhook.
package bothelp
