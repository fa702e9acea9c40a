// Package app builds the roles of the program from its configuration: it opens
// the parts in the order of the floors, hands each what it needs, and closes
// them the other way about. No decision is made here.
package app
