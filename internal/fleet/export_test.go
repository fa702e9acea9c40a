package fleet

// Restrict lets a test's child process bound itself as the real one does.
var Restrict = restrict
