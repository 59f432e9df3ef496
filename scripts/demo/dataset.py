"""Writes synthetic trials in the public data set's layout: ROOT/hdf5_data_final/SESSION/data_{train,val,test}.hdf5 and
ROOT/t15_copyTaskData_description.csv."""

import h5py
import numpy as np

CSV_HEADER = "Date,Post-implant day,Block number,Number of sentences,Corpus,Split"
FIRST_DATE = np.datetime64("2023-08-11")


def session_names(count):
    """A session a week: t15.2023.08.11, t15.2023.08.18, ..."""
    return [f"t15.{FIRST_DATE + 7 * k}".replace("-", ".") for k in range(count)]


def is_evaluated(session):
    """Like some of the public sessions, the second one and every seventh from there has neither val nor test trials."""
    return session % 7 != 1


def padded(values):
    out = np.zeros(500, dtype=np.int32)
    out[: len(values)] = values
    return out


def write_trial(group, trial, session, block, number, labelled):
    group.create_dataset("input_features", data=trial.features)
    group.attrs["n_time_steps"] = len(trial.features)
    group.attrs["session"] = session
    group.attrs["block_num"] = block
    group.attrs["trial_num"] = number
    if labelled:
        group.create_dataset("seq_class_ids", data=padded(trial.classes))
        group.create_dataset("transcription", data=padded([ord(c) for c in trial.sentence]))
        group.attrs["seq_len"] = len(trial.classes)
        group.attrs["sentence_label"] = trial.sentence


def write_dataset(root, world, names, sentences_of_split, seed):
    """sentences_of_split: {"train": [...], "val": [...], "test": [...]}; a split's sentences go round its sessions."""
    counts = {}
    for split_number, (split, sentences) in enumerate(sentences_of_split.items()):
        rng = np.random.default_rng([seed, split_number])
        sessions = [k for k in range(len(names)) if split == "train" or is_evaluated(k)]
        for place, session in enumerate(sessions):
            own = sentences[place :: len(sessions)]
            if not own:
                continue
            folder = root / "hdf5_data_final" / names[session]
            folder.mkdir(parents=True, exist_ok=True)
            block = 1 if split == "train" else 2  # val and test trials share their block, as in the public data
            first = counts.get((session, block), 0)
            with h5py.File(folder / f"data_{split}.hdf5", "w") as file:
                for k, sentence in enumerate(own):
                    trial = world.trial(rng, sentence, session)
                    write_trial(file.create_group(f"trial_{k:04d}"), trial, names[session], block, first + k, split != "test")
            counts[session, block] = first + len(own)
    lines = [CSV_HEADER]
    for (session, block), count in sorted(counts.items()):
        date = names[session][4:].replace(".", "-")
        corpus = "50-Word" if session == 0 else "Everyday"
        lines.append(f"{date},{25 + 7 * session},{block},{count},{corpus},{'Train' if block == 1 else 'Val/Test'}")
    (root / "t15_copyTaskData_description.csv").write_text("\n".join(lines) + "\n")
