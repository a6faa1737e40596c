
use fuze_agent_policy_tests::{generate, pdp, repair};
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let bin = pdp::binary().unwrap();
    let dir = std::path::PathBuf::from("/tmp/f/pdp/gen");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("p")).unwrap();
    let size = generate::Size { questions: 10, resources: 10 };
    let mut cases: Vec<_> = (0..n).map(|s| generate::case(s, size)).collect();
    let t = std::time::Instant::now();
    let r = repair::repair(&bin, &dir.join("p"), &mut cases);
    println!("{:?}", t.elapsed());
    let r = r.unwrap();
    println!("{} refused", r.len());
    let mut said: Vec<_> = r.iter().map(|(e, s)| format!("{}\n    {e}", s.rsplit_once("`: ").map_or(s.as_str(), |x| x.1))).collect();
    said.sort();
    std::fs::write("/tmp/f/refused.txt", said.join("\n")).unwrap();
    let t = std::time::Instant::now();
    let p = pdp::Pdp::start(&bin, &dir.join("p"), pdp::Mode::Strict, &dir).unwrap();
    println!("started {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let (mut allow, mut deny, mut drs, mut outs) = (0, 0, 0, 0);
    for c in &cases { for q in &c.questions { let a = p.check(&q.principal, &q.resources).unwrap();
      for r in a["results"].as_array().unwrap() { for e in r["actions"].as_object().unwrap().values() { if e == "EFFECT_ALLOW" { allow += 1 } else { deny += 1 } }
       drs += r["meta"]["effectiveDerivedRoles"].as_array().map_or(0, Vec::len); outs += r["outputs"].as_array().map_or(0, Vec::len);
      } if c.seed == 3 { println!("{}", serde_json::to_string(&a["results"][0]).unwrap()); } } }
    println!("allow {allow} deny {deny} derived {drs} outputs {outs} {:?}", t.elapsed());
}
