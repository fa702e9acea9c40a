// Package web is the part of Goshawk that people look at: the page that
// classifies pictures, the API's documentation, and one page for each kind of
// problem. Pages are rendered here and work as plain links and forms; small
// scripts only improve them. Nothing on a page asks another host for anything.
package web
