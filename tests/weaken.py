#!/usr/bin/env python3
"""Takes an ordering, or the order of two steps, away from the code, one at a time, in a copy. A model must fail for each:
tests/weaken.py loom [NAME], tests/weaken.py shuttle [NAME]. With a NAME, what the model says is shown.

Shuttle does not model memory orderings, so those are loom's alone, with a step whose schedule is too rare for chance; the
other steps are for both.
"""
import concurrent.futures, os, re, shutil, subprocess, sys

# (what is taken away, file, [(text, replacement)...], the models that must fail, each)
ORDERINGS = [
    ("a ring shows nothing", "bell.rs", [("compare_exchange_weak(word, rung, Ordering::Release", "compare_exchange_weak(word, rung, Ordering::Relaxed")],
     "a_ring_is_heard_and_shows_what_was_done_before the_service_looks_after_a_ring"),
    ("a ticket sees nothing", "bell.rs", [("self.0.load(Ordering::Acquire)", "self.0.load(Ordering::Relaxed)")],
     "a_ring_is_heard_and_shows_what_was_done_before"),
    ("raising attention shows nothing", "attention.rs", [("self.word.fetch_or(ATTENTION, Ordering::Release)", "self.word.fetch_or(ATTENTION, Ordering::Relaxed)")],
     "attention_is_never_lost"),
    ("lowering attention sees nothing", "attention.rs", [("self.word.fetch_and(!ATTENTION, Ordering::Acquire)", "self.word.fetch_and(!ATTENTION, Ordering::Relaxed)")],
     "attention_is_never_lost"),
    ("a request shows nothing", "attention.rs", [("match self.control.fetch_update(Ordering::Release, Ordering::Relaxed", "match self.control.fetch_update(Ordering::Relaxed, Ordering::Relaxed")],
     "a_checkpoint_sees_what_was_done_before_it_was_asked_for a_resume_ends_a_pause an_abort_ends_a_pause"),
    ("taking edges sees nothing", "attention.rs", [("fetch_and(!EDGES, Ordering::Acquire)", "fetch_and(!EDGES, Ordering::Relaxed)")],
     "a_checkpoint_sees_what_was_done_before_it_was_asked_for"),
    ("looking at the control word sees nothing", "attention.rs", [("self.control.load(Ordering::Acquire)", "self.control.load(Ordering::Relaxed)")],
     "an_abort_ends_a_pause"),
    ("a halt shows nothing", "attention.rs", [("fetch_or(HALTED, Ordering::Release)", "fetch_or(HALTED, Ordering::Relaxed)")],
     "a_halted_computation_has_done_what_it_did"),
    ("who starves shows nothing", "turn.rs", [("self.taken.fetch_or(false, Ordering::Release)", "self.taken.fetch_or(false, Ordering::Relaxed)")],
     "nobody_starves_beside_a_free_turn"),
    ("who starves looks by a load", "turn.rs", [("self.taken.fetch_or(false, Ordering::Release)", "self.taken.load(Ordering::Relaxed)")],
     "nobody_starves_beside_a_free_turn"),
    ("letting a turn go sees nothing", "turn.rs", [("self.0.swap(false, Ordering::AcqRel)", "self.0.swap(false, Ordering::Release)")],
     "nobody_starves_beside_a_free_turn"),
    ("taking a turn sees nothing", "turn.rs", [("self.taken.swap(true, Ordering::Acquire)", "self.taken.swap(true, Ordering::Relaxed)")],
     "nobody_starves_beside_a_free_turn"),
    ("letting a turn go shows nothing", "turn.rs", [("self.0.swap(false, Ordering::AcqRel)", "self.0.swap(false, Ordering::Acquire)")],
     "nobody_starves_beside_a_free_turn"),
    ("counting in sees nothing", "stance.rs", [("self.moving.fetch_add(1, Ordering::AcqRel)", "self.moving.fetch_add(1, Ordering::Release)")],
     "who_holds_is_alone_with_the_memory a_halted_map_has_no_item_in_hand"),
    ("looks who moves by a load", "stance.rs", [("self.moving.fetch_add(0, Ordering::AcqRel)", "self.moving.load(Ordering::Acquire)")],
     "who_holds_is_alone_with_the_memory a_halted_map_has_no_item_in_hand"),
    ("looking who moves sees nothing", "stance.rs", [("self.moving.fetch_add(0, Ordering::AcqRel)", "self.moving.fetch_add(0, Ordering::Release)")],
     "who_holds_is_alone_with_the_memory"),
    ("counting out shows nothing", "stance.rs", [("self.moving.fetch_sub(1, Ordering::Release)", "self.moving.fetch_sub(1, Ordering::Relaxed)")],
     "who_holds_is_alone_with_the_memory"),
    ("letting go shows nothing", "stance.rs", [("self.stance.held.store(false, Ordering::Release)", "self.stance.held.store(false, Ordering::Relaxed)")],
     "who_holds_is_alone_with_the_memory"),
    ("who was held sees nothing", "stance.rs", [("self.held.load(Ordering::Acquire)", "self.held.load(Ordering::Relaxed)")],
     "who_holds_is_alone_with_the_memory"),
    ("looks whether it is closed after it took the tasks", "mailbox.rs",
     [("            let closed = self.closed.load(Ordering::Relaxed);\n", ""),
      ("            if closed {\n                return;", "            let closed = self.closed.load(Ordering::Relaxed);\n            if closed {\n                return;")],
     "a_task_is_performed_or_given_back"),
]

STEPS = [
    ("sleeps by the bell without comparing", "bell.rs",
     [("match self.0.compare_exchange(ticket.0, asleep, Ordering::Relaxed, Ordering::Relaxed) {", "match Ok::<u32, u32>(self.0.fetch_or(SLEEPING, Ordering::Relaxed)) {"),
      ("self.0.wait(asleep, timeout)", "self.0.wait(self.0.load(Ordering::Relaxed), timeout)")],
     "a_ring_is_heard_and_shows_what_was_done_before"),
    ("rings before the task is there", "mailbox.rs",
     [("        self.tasks.push(task);\n        self.bell.ring();\n", "        self.bell.ring();\n        self.tasks.push(task);\n")],
     "a_task_is_performed_without_another_ring"),
    ("takes its ticket after the look", "mailbox.rs",
     [("            let ticket = self.bell.ticket();\n", ""), ("            if closed {\n                return;", "            let ticket = self.bell.ticket();\n            if closed {\n                return;")],
     "a_task_is_performed_without_another_ring"),
    ("looks whether it is closed before it leaves the task", "mailbox.rs",
     [("        self.tasks.push(task);\n", "        let closed = self.closed.load(Ordering::Relaxed);\n        self.tasks.push(task);\n"),
      ("        if self.closed.load(Ordering::Relaxed) {", "        if closed {")],
     "a_task_is_performed_or_given_back"),
    ("raises attention before the change", "attention.rs",
     [("        match self.control.fetch_update", "        self.raise_attention();\n        match self.control.fetch_update"), ("            Ok(before) => {\n                self.raise_attention();\n", "            Ok(before) => {\n")],
     "attention_is_never_lost"),
    ("lowers attention after the look", "attention.rs",
     [("        self.word.fetch_and(!ATTENTION, Ordering::Acquire);\n        let control = self.control();\n", "        let control = self.control();\n        self.word.fetch_and(!ATTENTION, Ordering::Acquire);\n")],
     "attention_is_never_lost"),
    ("raises mail before the request waits", "inbox.rs",
     [("                state.waiting.push_back(request);\n                drop(state);\n", "                drop(state);\n                attention.raise(MAIL);\n                self.0.lock().waiting.push_back(request);\n"),
      ("                return attention.raise(MAIL);\n", "                return;\n")],
     "a_request_is_served_at_the_next_ready_point"),
    ("empties the inbox before it is closed", "inbox.rs",
     [("            state.open = false;\n            std::mem::take(&mut state.waiting)\n", "            let left = std::mem::take(&mut state.waiting);\n            drop(state);\n            self.0.lock().open = false;\n            left\n")],
     "a_request_is_answered_when_the_job_ends_first"),
    ("a run begins without a look into the inbox", "attention.rs", [("Some(kept | MAIL | DELIVER | PHASE_RUNNING)", "Some(kept | DELIVER | PHASE_RUNNING)")],
     "a_run_that_begins_finds_what_was_sent_meanwhile"),
    ("looks whether a run has ended before it signals", "attention.rs",
     [("let sent = self.change(|control| (control & PHASE != PHASE_ENDED).then(|| signal.applied_to(control)));", "let sent = self.control() & PHASE != PHASE_ENDED && self.change(|control| Some(signal.applied_to(control)));")],
     "a_signal_that_expired_leaves_no_trace"),
    ("serves before it says so", "reply.rs",
     [("        let mut state = cell.state.lock();\n        if let State::Waiting = *state {\n            *state = State::Serving;\n        }\n        matches!(*state, State::Serving)",
       "        let waits = matches!(*cell.state.lock(), State::Waiting);\n        if waits {\n            *cell.state.lock() = State::Serving;\n        }\n        waits")],
     "a_reply_is_what_became_of_the_request"),
    ("lets the reply go between the look and the wait", "reply.rs",
     [("            state = self.0.changed.wait(state, left);", "            drop(state);\n            state = self.0.state.lock();\n            state = self.0.changed.wait(state, left);")],
     "who_waits_for_a_reply_gets_it"),
    ("answers without waking", "reply.rs", [("                    cell.changed.notify_all();\n", "")], "who_waits_for_a_reply_gets_it"),
    ("sleeps whatever the control word has become", "point.rs", [("if asked_in(word) == control && (halted", "if (halted")],
     "a_resume_ends_a_pause an_abort_ends_a_pause"),
    ("looks whether it is halted before the change", "attention.rs",
     [("        match self.control.fetch_update", "        let watched = self.control.load(Ordering::Relaxed) & WATCHED != 0;\n        match self.control.fetch_update"), ("if before & WATCHED != 0 {", "let _ = before;\n                if watched {")],
     "a_resume_ends_a_pause an_abort_ends_a_pause"),
    ("sleeps unwatched", "point.rs", [("let word = attention.watch();", "let word = attention.control();")],
     "a_halted_computation_answers a_resume_ends_a_pause"),
    ("a client takes its ticket after the look", "client.rs",
     [("            let ticket = self.bell.ticket();\n            match self.pop() {", "            match self.pop() {"), ("self.bell.sleep(ticket, deadline)", "self.bell.sleep(self.bell.ticket(), deadline)")],
     "a_client_that_sleeps_gets_every_event_in_order"),
    ("lowers the descriptor with the queue free", "client.rs",
     [("        queue.show_flag();\n        match event {", "        let news = queue.has_news();\n        drop(queue);\n        let mut queue = self.queue.lock();\n        if let Some((flag, raised)) = queue.flag.as_mut() {\n            *raised = news;\n            if news {\n                flag.raise();\n            } else {\n                flag.lower();\n            }\n        }\n        match event {")],
     "a_descriptor_is_readable_while_events_wait"),
    ("makes the descriptor with the queue free", "client.rs",
     [("            queue.flag = Some((flag, false));\n            queue.show_flag();\n", "            let news = queue.has_news();\n            drop(queue);\n            queue = self.queue.lock();\n            if news {\n                flag.raise();\n            }\n            queue.flag = Some((flag, news));\n")],
     "a_descriptor_that_comes_late_is_readable_too"),
    ("looks for events before the new callback is there", "client.rs",
     [("        let notify = Arc::new(notify);\n", "        let notify = Arc::new(notify);\n        let waiting = self.queue.lock().has_news();\n"),
      ("        let waiting = self.queue.lock_patiently().has_news();\n", "")],
     "who_asks_to_be_notified_is"),
    ("withdraws what is being served", "reply.rs",
     [("        match self.0.compare_exchange(UNCLAIMED, mine, Ordering::Relaxed, Ordering::Relaxed) {\n", "        let made = self.0.load(Ordering::Relaxed);\n        if made == UNCLAIMED {\n            self.0.store(mine, Ordering::Relaxed);\n        }\n        match if made == UNCLAIMED { Ok(made) } else { Err(made) } {\n")],
     "a_request_is_served_or_withdrawn"),
    ("numbers the join before it wants events", "hub.rs",
     [("        client.set_mask(mask);\n        let join = state.begun.then(|| state.stamp(join()));\n        (state.sequence, join)", "        let join = state.begun.then(|| state.stamp(join()));\n        let sequence = state.sequence;\n        drop(state);\n        client.set_mask(mask);\n        (sequence, join)")],
     "who_joins_late_gets_all_that_follows"),
    ("takes the best that waits before it hands it out", "hub.rs",
     [("            return None;\n        }\n        Some(if", "            return None;\n        }\n        drop(state);\n        let mut state = self.lock();\n        Some(if")],
     "the_last_best_comes_before_the_end"),
    ("a word that was nudged looks untouched", "attention.rs", [("count.wrapping_add(ONE_WAKING)", "count")],
     "who_holds_is_alone_with_the_memory"),
    ("looks whether it is to stand before it counts itself in", "stance.rs",
     [("            // Then it looks again: it may be asked anew.\n            self.start_moving();\n", "            self.start_moving();\n            return;\n")],
     "who_holds_is_alone_with_the_memory"),
    ("stops without a nudge", "stance.rs", [("        self.moving.fetch_sub(1, Ordering::Release);\n        attention.nudge();", "        self.moving.fetch_sub(1, Ordering::Release);\n        let _ = attention;")],
     "who_holds_waits_for_all"),
    ("lets go without a nudge", "stance.rs", [("        self.attention.nudge();\n", "")],
     "who_holds_is_alone_with_the_memory"),
    ("watches after it looked who moves", "stance.rs",
     [("            let word = attention.watch();\n            if self.is_still() {\n                return Held { stance: self, attention };\n            }\n", "            if self.is_still() {\n                return Held { stance: self, attention };\n            }\n            let word = attention.watch();\n")],
     "who_holds_waits_for_all"),
    ("an abort is forgotten when a pause comes", "attention.rs", [("Signal::Pause => control | PAUSE,", "Signal::Pause => (control | PAUSE) & !ABORT,")],
     "a_pause_does_not_hide_an_abort"),
    ("serves the newest request first", "inbox.rs", [("self.0.lock().waiting.pop_front()", "self.0.lock().waiting.pop_back()")],
     "the_requests_of_a_thread_keep_their_order"),
    ("watches after the look", "desk.rs",
     [("        let seen = self.attention.watch();\n        {", "        {"),
      ("        if !look(seen) {", "        let seen = self.attention.watch();\n        if !look(seen) {")],
     "what_is_laid_down_is_taken"),
    ("nudges before it is down", "desk.rs",
     [("        let mut state = self.state.lock();\n        let news = if !block.is_done() {", "        self.unlock_and_tell(self.state.lock(), true);\n        let mut state = self.state.lock();\n        let news = if !block.is_done() {"),
      ("            state.done.push_back(block);\n            true", "            state.done.push_back(block);\n            false"),
      ("            at == 0 && state.can_take(true)\n", "            false\n")],
     "what_is_laid_down_is_taken"),
    ("a block that is broken off is no news", "desk.rs",
     [("            state.broken.push(block);\n            true", "            state.broken.push(block);\n            false")],
     "what_is_broken_off_is_continued_and_the_end_is_heard"),
    ("the end of the source is no news", "desk.rs",
     [("        let over = state.is_over();", "        let over = false;")],
     "what_is_broken_off_is_continued_and_the_end_is_heard"),
    ("looks at the turn before it says that it sleeps", "desk.rs",
     [("        let seen = self.attention.watch();\n", "        let seen = self.attention.watch();\n        let looked = look(seen);\n"),
      ("        if !look(seen) {", "        if !looked {")],
     "nobody_starves_beside_a_free_turn"),
    ("a closer does not wake", "desk.rs",
     [("        let first = !std::mem::replace(&mut state.closed, true);\n        self.unlock_and_tell(state, true);", "        let first = !std::mem::replace(&mut state.closed, true);\n        self.unlock_and_tell(state, false);")],
     "a_close_waits_and_wakes"),
    ("enters though it is closed", "desk.rs",
     [("        if !state.closed {\n            state.inside += 1;\n        }\n        !state.closed", "        let open = !state.closed;\n        drop(state);\n        let mut state = self.state.lock();\n        if open {\n            state.inside += 1;\n        }\n        open")],
     "a_close_waits_and_wakes"),
    ("leaves without saying so", "desk.rs",
     [("        let awaited = state.awaited;", "        let awaited = false && state.awaited;")],
     "a_close_waits_and_wakes"),
]


def run(command, environment, where, seconds=120):
    return subprocess.run(command, cwd=where, env={**os.environ, **environment}, text=True, timeout=seconds,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def build(tool, where):
    """Builds the models of the copy; returns the program, or what the compiler says."""
    command = ["cargo", "test", "--offline", "--profile", "model", "--lib", "--no-run", "--target-dir", os.path.abspath(f"build/{tool}")]
    said = run(command, {"RUSTFLAGS": f"--cfg {tool}"}, where, 600)
    found = re.search(r"Executable .*\((.*)\)", said.stdout)
    return (found and found[1]), said.stdout


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    tool, select = sys.argv[1], " ".join(sys.argv[2:])
    copy = f"build/weakened/{tool}"
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(copy)
    # Under another name: else cargo would take a weak build for that of the code itself.
    for part in ["Cargo.toml", "Cargo.lock"]:
        text = open(part).read().replace('name = "park"', 'name = "park-weakened"', 1)
        # A workspace of its own, without the command.
        open(f"{copy}/{part}", "w").write(re.sub(r"(?m)^(default-)?members = .*\n", "", text))
    shutil.copytree("src", f"{copy}/src")

    def check(name, program, model):
        try:
            said = run([program, "--exact", f"core::{tool}_models::{model}"], {"SHUTTLE_SILENCE_WARNINGS": "1"}, copy)
        except subprocess.TimeoutExpired:
            return name, model, False, "no end in sight"
        return name, model, said.returncode != 0 and "panicked" in said.stdout, said.stdout

    survivors, programs = 0, []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        checks = []
        for index, (name, file, changes, models) in enumerate((ORDERINGS if tool == "loom" else []) + STEPS):
            if select not in name:
                continue
            original = open(f"src/core/{file}").read()
            weak = original
            for text, replacement in changes:
                if weak.count(text) != 1:
                    sys.exit(f"{name}: {file} has {weak.count(text)} times: {text}")
                weak = weak.replace(text, replacement)
            open(f"{copy}/src/core/{file}", "w").write(weak)
            program, said = build(tool, copy)
            open(f"{copy}/src/core/{file}", "w").write(original)
            if not program:
                sys.exit(f"{name}: it does not compile\n{said}")
            own = f"{copy}/{index}"
            shutil.copy(program, own)
            programs.append(own)
            checks += [pool.submit(check, name, os.path.abspath(own), model) for model in models.split()]
        for done in checks:
            name, model, failed, said = done.result()
            survivors += not failed
            print("seen    " if failed else "NOT SEEN", f"{name}: {model}")
            if select:
                print(said)
    for program in programs:
        os.remove(program)
    print(f"{tool}: {len(checks) - survivors} of {len(checks)} seen")
    sys.exit(survivors > 0 or not checks)


main()
