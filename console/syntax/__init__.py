"""What each verb looks like: tables of `console.commands.Command`, a module per noun; `console.registry` joins them."""
