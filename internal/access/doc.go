// Package access says who asks and from where. Keys tells the principal of an
// opaque key; Guard looks at a request's Host, Origin and Authorization headers
// before anything else of it is read; CheckListen refuses to open a door to a
// network before there is a key for it.
package access
