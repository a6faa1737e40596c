use fuze_policy::cerbos::*;
#[test]
fn go() {
    let mut ps: Vec<_> =
        std::fs::read_dir("/tmp/f/cerbos-scratch/load").unwrap().map(|e| e.unwrap().path()).collect();
    ps.sort();
    for p in ps {
        let n = p.file_name().unwrap().to_string_lossy().into_owned();
        let r = read_directory(&p).and_then(|f| {
            let s = PolicySet::load(&f.policies)?;
            Schemas::load(&s, &f.schemas)?;
            Ok(())
        });
        match (&r, n.starts_with("bad")) {
            (Ok(()), true) => println!("!! ACCEPTED {n}"),
            (Err(e), false) => println!("!! REFUSED {n}\n{e}"),
            (Err(e), true) => println!("ok {n}\n{e}\n"),
            _ => println!("ok {n}"),
        }
    }
}
