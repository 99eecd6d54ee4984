// Package console is hooktape's web interface, for a person who must answer "did the lead reach us, and the CRM?" in a
// minute: find the request, see what happened to it, send it again.
//
// The server renders pages from templates. There is no build step, and nothing is loaded from other hosts. Reading
// works without JavaScript. With it (htmx, and assets/console.js for the little that htmx does not do) the list shows
// new events and a replay its progress.
//
// The package promises:
//
//   - Without a login only the login page is served. A session has the role of its token. Pages ask [api.Direct] in
//     the name of that token, so the console permits what the API permits.
//   - Text from outside (bodies, headers, names, tags, answers of receivers) is shown as text. html/template escapes
//     it, and signs replace characters that would hide or reorder other text ([visible]). No page has inline scripts or
//     styles; the policy of each page forbids them, and every request to other hosts.
//   - A request that changes something is rejected unless one of these pages sent it ([http.CrossOriginProtection]).
//   - The audit log records who viewed a body or a hook's token, and who downloaded a list.
package console
