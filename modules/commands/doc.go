// Package commands lets other modules offer ad-hoc commands (XEP-0050): dialogs
// of forms that a client can show without knowing what they are about.
//
// It owns which commands there are, who may use which, and the executions that
// are under way. It must not know what a command does, nor how accounts are kept:
// it asks [Roles] for the role of whoever wants to use one, each time.
//
// Commands are registered before the first session, with [Module.Offer]. The
// manager calls the handler on a goroutine of its own while the client's stream
// pauses, so a command may block. Nothing runs in the background: an execution
// that nobody goes on with is found out when it is looked for, or makes room
// when others need it, and goes with the session that began it.
//
// Start reading at [Command], then execute.go.
package commands
