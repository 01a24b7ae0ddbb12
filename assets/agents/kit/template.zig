//! overdue: makes a task urgent once two others wait for it. Make of it what you want; docs/reference/agent-abi.md
//! has all host functions and the layouts.

extern "env" fn host_get_dependency_data(buffer: [*]u8, length: i32) i32;
extern "env" fn host_emit_urgency(id: [*]const u8, length: i32) void;
extern "env" fn host_log(text: [*]const u8, length: i32) void;

/// Its address is where the memory behind the data begins.
extern var __heap_base: u8;

const capacity = 16384;
const Record = extern struct { id: [36]u8, status: u8, urgent: u8, dependents: u8 };
const completed = 2;

/// Called once when the agent starts, and on a fresh instance after a failure.
export fn init() void {
    const text = "watching who waits";
    host_log(text, text.len);
}

/// Called for every change in the room that this agent did not make.
export fn on_task_event() void {}

/// Called every 30 seconds.
export fn on_tick() void {
    const room: [*]u8 = @ptrCast(&__heap_base);
    if (host_get_dependency_data(room, capacity) == 0) return;
    const count: *align(1) const u32 = @ptrCast(room);
    const tasks: [*]const Record = @ptrCast(room + 4);
    for (tasks[0..count.*]) |*task| {
        if (task.status == completed or task.urgent != 0 or task.dependents < 2) continue;
        var length: usize = 0;
        while (length < task.id.len and task.id[length] != 0) length += 1;
        host_emit_urgency(&task.id, @intCast(length));
    }
}
