#!/usr/bin/env python3
"""Takes a step away from the code that saves, one at a time, in a copy. A check of this directory must fail for each:
weaken.py [NAME]. With a NAME, what the check says is shown."""
import os, re, shutil, subprocess, sys, time

from runs import BUILD, ROOT, build

STORE = "src/core/store"
INJECT, SLOW, REPLAY = "inject.py --every 5 copy", "inject.py --every 12 slow", "replay.py --every 6"
# (what is taken away, file, [(text, replacement)...], the checks that must fail, each)
WEAKNESSES = [
    ("the file is not flushed", "disk.rs", [("again(|| self.file.sync_data())", "again(|| Ok(()))")], [REPLAY]),
    ("the directory is not flushed", "disk.rs", [("again(|| directory.sync_all())", "again(|| Ok::<(), io::Error>(drop(&directory)))")], [REPLAY]),
    ("a file is not flushed once more where names need it", "draft.rs", [("false => disk.flush_all(),", "false => Ok(()),")], ["power.py xfs --count 150"]),
    ("a failed flush is tried again", "disk.rs", [("again(|| self.file.sync_data())", "again(|| self.file.sync_data()).or_else(|_| self.file.sync_data())")], [INJECT]),
    ("the name comes before the bytes", "draft.rs",
     [("        write(vault.pool(), &vault.speed, &disk, &self.layout, content)?;\n        disk::rename(&spare, file)?;", "        disk::rename(&spare, file)?;\n        write(vault.pool(), &vault.speed, &disk, &self.layout, content)?;")],
     [INJECT, "kill.py 200"]),
    ("a segment that cannot be written is passed over", "writer.rs", [("disk.write_at(segment.blocks(), segment.at)?;", "let _ = disk.write_at(segment.blocks(), segment.at);")], [INJECT, SLOW]),
    ("the last segment is left out", "writer.rs", [("                full.count(),\n", "                full.count() - 1,\n")], [INJECT, SLOW]),
    ("the older one goes before the newer one was read", "vault.rs", [("opened.verify(&self.pool, false, stop)) {", "{ opened.version(); drop(&mut opened); Ok(!stop.load(std::sync::atomic::Ordering::Relaxed)) }) {")], ["inject.py --every 1000 one"]),
    ("old ones wait for a pause between saves", "saver.rs", [("if self.vault.excess() > 1 {\n", "if self.vault.excess() > 1 << 40 {\n")], ["limits.py"]),
    ("the name comes before those of one's own files", "draft.rs", [("                disk::flush_directory(vault.directory())?;\n", "")], ["replay.py"]),
    ("sums of data are not compared", "reader.rs", [("found[place] != self.header.sums[place])", "found[place] != self.header.sums[place] && count > 1 << 40)")], ["broken", INJECT]),
    ("the sum of the header is not compared", "header.rs", [("if told != Some(hasher.finalize()) {", "if told.is_none() && hasher.finalize() != 0 {")], ["broken"]),
    ("files of one's own are not compared", "reader.rs", [("        files::verify(&self.files, &self.header.files)?;\n", "")], ["broken"]),
    ("an interrupted call fails", "disk.rs", [("Err(error) if error.kind() == ErrorKind::Interrupted => {}\n            done => return done,", "done => return done,")], [INJECT]),
    ("a short write is taken for a whole one", "disk.rs", [("Ok(more) => written = self.next_block(written, more, bytes.len()).map_err(told)?,", "Ok(more) => written = more.max(bytes.len()),")], [INJECT]),
    ("what is said does not tell the cause", "disk.rs", [('format!("{}: cannot {what}: {error}", path.display())', 'format!("{}: cannot {what}", path.display())')], [INJECT, "limits.py"]),
    ("SIGXFSZ reaches the threads that write", "pool.rs",
     [("let handle = crate::sys::with_signals_blocked(|| {", "let handle = (|| {"), ("                })?;\n                kept.lock()", "                })()?;\n                kept.lock()")], ["limits.py"]),
]


def main():
    select = " ".join(sys.argv[1:])
    os.chdir(ROOT)
    build()
    copy = "build/weakened/crash"
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(copy)
    for part in ["Cargo.toml", "Cargo.lock"]:
        # A workspace of its own, without the command.
        open(f"{copy}/{part}", "w").write(re.sub(r"(?m)^(default-)?members = .*\n", "", open(part).read()))
    shutil.copytree("src", f"{copy}/src")
    seen = judged = 0
    for name, file, changes, checks in WEAKNESSES:
        if select not in name:
            continue
        file = f"{STORE}/{file}"
        original = open(file).read()
        weak = original
        for text, replacement in changes:
            if weak.count(text) != 1:
                sys.exit(f"{name}: {file} has {weak.count(text)} times: {text}")
            weak = weak.replace(text, replacement)
        with open(f"{copy}/{file}", "w") as out:
            out.write(weak)
        target = os.path.abspath("build/weakened/crash-target")
        said = subprocess.run(["cargo", "build", "--offline", "--profile", "model", "--target-dir", target], cwd=copy, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(f"{copy}/{file}", "w") as out:
            out.write(original)
        if said.returncode:
            sys.exit(f"{name}: it does not compile\n{said.stdout}")
        library = f"{target}/model"
        if os.path.lexists(f"{library}/libpark.so.0"):
            os.remove(f"{library}/libpark.so.0")
        os.symlink("libpark.so", f"{library}/libpark.so.0")
        for check in checks:
            program, *arguments = check.split()
            command = [sys.executable, f"tests/crash/{program}"] if program.endswith(".py") else [f"{BUILD}/{program}"]
            began = time.monotonic()
            done = subprocess.run([*command, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env={**os.environ, "CRASH_LIBRARY": library, "LD_LIBRARY_PATH": library})
            # 77: it could not be run here.
            failed = done.returncode not in (0, 77) and ("not ok" in done.stdout or "Wrong" in done.stdout)
            judged, seen = judged + 1, seen + failed
            print("seen    " if failed else "NOT SEEN", f"{name}: {check} ({time.monotonic() - began:.0f} s)", flush=True)
            if select:
                print(done.stdout)
    print(f"{seen} of {judged} seen")
    sys.exit(seen < judged or not judged)


main()
