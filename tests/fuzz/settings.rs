//! Settings objects, as editors send them: every result is in bounds, and every refusal is one
//! line.

use serde_json::{Map, Value, json};
use tabahead_session::{ReadableSettings, Setting, Settings};
use tabahead_testkit::Random;

use crate::{
    bounds::{bounded, check_text},
    damage,
    run::{Verdict, fuzz},
};

#[test]
fn settings_objects_are_taken_or_refused_in_one_line() {
    fuzz(
        "settings",
        4000,
        &[("taken", 600), ("refused", 1200)],
        |random| {
            let layers: Vec<Value> = (0..1 + random.below(3)).map(|_| layer(random)).collect();
            let length = layers.iter().map(|layer| layer.to_string().len()).sum();
            bounded(length, || resolved(&layers))?
        },
    );
}

fn resolved(layers: &[Value]) -> Verdict {
    let layers: Vec<&Value> = layers.iter().collect();
    let ReadableSettings {
        settings, problems, ..
    } = Settings::readable(&layers);
    for (layer, problem) in &problems {
        check_text(problem)?;
        if *layer >= layers.len() {
            return Err(format!("a problem of layer {layer}, which there is not"));
        }
    }
    let again = serde_json::to_value(&settings).map_err(|error| error.to_string())?;
    for Setting { key, schema } in Settings::all() {
        let value = key.split('.').fold(&again, |value, part| &value[part]);
        let bounds = schema["minimum"].as_u64().zip(schema["maximum"].as_u64());
        if let (Some(value), Some((least, most))) = (value.as_u64(), bounds)
            && !(least..=most).contains(&value)
        {
            return Err(format!("'{key}' is out of bounds"));
        }
    }
    match Settings::resolve(&[&again]) {
        Ok(same) if same == settings && same.digest() == settings.digest() => {}
        Ok(_) => return Err("settings that are written out are others".to_owned()),
        Err(error) => {
            return Err(format!(
                "settings that are written out are refused: {error}"
            ));
        }
    }
    match (Settings::resolve(&layers), problems.is_empty()) {
        (Ok(same), true) if same == settings => Ok("taken"),
        (Err(error), false) if error == problems[0].1 => Ok("refused"),
        _ => Err("what is refused is taken elsewhere".to_owned()),
    }
}

/// Returns some of the settings, with their defaults or with other valid values; most of the time
/// damaged.
pub fn layer(random: &mut Random) -> Value {
    let defaults = serde_json::to_value(Settings::default()).expect("plain data");
    let Value::Object(defaults) = defaults else {
        panic!("settings are an object");
    };
    let mut layer = Map::new();
    for (key, value) in defaults {
        match (random.below(3), value) {
            (0, Value::Object(parts)) if random.below(2) == 0 => {
                let dotted = parts
                    .into_iter()
                    .map(|(part, value)| (format!("{key}.{part}"), value));
                layer.extend(dotted);
            }
            (0, value) => drop(layer.insert(key, value)),
            _ => {}
        }
    }
    for (key, value) in [
        ("languages", json!({"rust": true, "*": false})),
        (
            "paths",
            json!([{"glob": "generated/**", "enabled": false}, {"glob": "*.rs", "enabled": true}]),
        ),
        ("gate", json!({"least_log_prob": -1.5})),
        ("context", json!({"prefix_bytes": 4000, "suffix_bytes": 0})),
        ("model", json!("~/models/a.gguf")),
    ] {
        if random.below(4) == 0 {
            layer.insert(key.to_owned(), value);
        }
    }
    let mut layer = Value::Object(layer);
    match random.below(6) {
        0 => layer = json!({"tabahead": layer}),
        1 => {
            let Value::Object(object) = layer else {
                unreachable!("it was made above");
            };
            let prefixed = object
                .into_iter()
                .map(|(key, value)| (format!("tabahead.{key}"), value));
            layer = Value::Object(prefixed.collect());
        }
        _ => {}
    }
    if random.below(4) > 0 {
        for _ in 0..damage::pieces(random) {
            damage::json(&mut layer, random);
        }
    }
    layer
}
