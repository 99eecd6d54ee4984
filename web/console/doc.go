// Package console is hooktape's web page, for the person who must answer "did the lead reach us, and the CRM?" in a minute:
// find the request, see what happened to it, send it again.
//
// Pages are made here, of templates; nothing is built beforehand and nothing is loaded from elsewhere. Reading works
// without JavaScript; with it (htmx, and assets/console.js for the little that htmx does not do) the list follows what
// comes in, and a replay's progress moves.
//
// What it promises:
//
//   - Who is not logged in sees nothing but the login page. A session has the role of its token, and what it may do and
//     is told is what the API lets the same token do: pages ask [api.Direct] in its name.
//   - What came from outside (bodies, headers, names, tags, answers of receivers) is text. It is escaped by html/template,
//     and characters that would hide or turn other text are shown as what they are ([visible]). No page has inline script
//     or style, and the policy that each page comes with forbids them, and any request to elsewhere.
//   - A request that changes something is refused unless it comes from these pages ([http.CrossOriginProtection]).
//   - Who looked at a body, at a hook's token or downloaded a list is in the audit log.
package console
