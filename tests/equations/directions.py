"""What every formula does when one of its arguments grows, and between which bounds each argument is meant.

A direction is said once for each argument: `+` never less, `-` never more, `?` either (a sweet spot, or rounding to
whole tiles or stages). Bounds are of the argument's meaning, not of the code: shares from 0 to 1, degrees from 1.
"""

DIRECTIONS = {
    # continuous batching
    "touched_experts": "experts+ chosen+ rows+",
    "cached_sequences": "pool_bytes+ sequence_bytes- sequence_limit+",
    "sequence_cache_length": "inputs+ outputs+ reserved_share+",
    "accepted_per_step": "acceptance+ drafts+",
    "busy_stages": "stages+ stall-",
    "decoding_sequences": "resident+ decode_steps+ prefill_steps-",
    "prefill_per_step": "decoding+ inputs+ decode_steps-",
    "mean_step_seconds": "decode_step_seconds+ mixed_step_seconds+ mixed_share?",
    "requests_per_s": "sequences+ residence_seconds-",
    "queue_wait_seconds": "service_seconds+ utilisation+ arrival_variation+",
    "burst_wait_seconds": "service_seconds+ together+",
    "step_overhead_seconds": "layers+ sequences+ layer_seconds+ host_seconds+ sequence_seconds+",
    "paired_rate_per_s": "first_per_s+ second_per_s+",
    "replicas_needed": "demand_per_s+ replica_per_s- headroom+",
    # low-rank adapters
    "low_rank_seconds": (
        "rows+ row_elements+ adapter_elements+ adapters+ bytes_per_element+ peak_flop_per_s- memory_bytes_per_s-"
        " ceiling_share- memory_share- overlap_sharpness- floor_seconds+ multiply_add_flop+"
    ),
    # tuning jobs
    "packed_sequences": "tokens+ sequence_tokens-",
    "padding_share": "mean_tokens- sequence_tokens+",
    "text_tokens": "chinese_characters+ other_characters+ tokens_per_chinese+ tokens_per_other+",
    "paying_requests": "job_cost+ added_cost-",
    "magnitude_bytes": "inputs+ outputs+ weight_bytes+ element_bytes+",
    "expansion_seconds": "wide_bytes+ expand_bytes_per_s-",
    # tuning with rollouts
    "log_spread": "spread+",
    "answer_length": "median_tokens+ sigma_log? deviate+ longest_tokens+",
    "token_biased_length": "mean_tokens- mean_square_tokens+",
    "waiting_seconds": "own_seconds- other_seconds+ ahead-",
    "weights_sent_seconds": "weight_bytes+ copies+ senders- receivers- link_bytes_per_s- link_share-",
    # special-purpose chips
    "crossing_seconds": "side_cores+ cycles_per_s- crossings+",
    "install_share": "install_bytes_per_s+ memory_bytes_per_s-",
    "design_share": "cycles_per_s+ rated_cycles_per_s- used_share+",
    "chips_that_hold": "weight_bytes+ cache_bytes+ free_bytes-",
    "switch_seconds": "weight_bytes+ backing_bytes_per_s-",
    # collectives and wiring
    "traffic_share": "ranks+ passes+",
    "tier_latency_seconds": "ranks+ base_seconds+ hop_seconds+",
    "tier_transfer_seconds": "sent_bytes+ link_bytes_per_s- link_share- half_bytes+ ramp_power?",
    "ring_seconds": "ranks+ nodes+ inside_step_seconds+ across_step_seconds+",
    "two_tier_seconds": "inner_transfer_seconds+ outer_transfer_seconds+ inner_latency_seconds+ outer_latency_seconds+",
    "routed_places": "chosen+ places+",
    "mesh_pair_bytes_per_s": "link_bytes_per_s+ domain-",
    "pair_bytes_per_s": "link_bytes_per_s+ shares-",
    # how sure an estimate is
    "spread_log": (
        "software_log+ chip_log+ expert_share+ experts_log+ attention_share+ attention_log+ searched+ layout_log+"
    ),
    "joint_log": "first_log+ second_log+ third_log+",
    "band_end": "spread_log? sigmas+",
    "shrunk_seconds": "seconds+ usual_seconds+ field_log? layout_log?",
    "tie_factor": "difference_log+ sigmas+",
    # demand and energy
    "grown_requests_per_s": "first_requests_per_s+ growth+ elapsed_periods+ most_requests_per_s+",
    "facility_watts": "system_watts+ pue+",
    "box_watts": "accelerator_watts+ accelerators+ box_share+",
    "drawn_watts": "peak_watts+ idle_share? traffic_share+ working+ sending?",
    "energy_joules": "mean_watts+ elapsed_seconds+",
    "energy_cost": "drawn_joules+ price_per_joules+",
    "carbon_kilograms": "drawn_joules+ kilograms_per_joules+",
    # money
    "present_value": "amount+ rate- periods-",
    "rate_of_period": "yearly_rate+ periods_per_year-",
    "annuity": "present+ rate+ periods-",
    "straight_line_value": "price+ residual+ age_years- life_years+",
    "declining_value": "price+ yearly_loss- age_years-",
    "resale_value": "new_price+ first_year_loss- later_loss- age_years-",
    "trended_price": "price+ change+ elapsed_periods+",
    "amount_per_token": "amount+ paid_share+ counted_tokens-",
    "break_even_requests": "amount+ paid_per_request-",
    "evidence_weight": "age_months- half_life_months+",
    "shrunk": "seen+ seen_error? prior+ prior_error?",
    "shrunk_error": "seen_error+ prior_error+",
    "slope_error": "noise+ square_sum-",
    "carried_log_price": "log_price+ log_trend+ age_months+ most_months+",
    "quote_error": "spread+ drift+ age_months+ basis_error+",
    "band_factor": "error+ deviations+",
    # memory of training
    "state_bytes": "parameters+ bytes_per_parameter+ shards-",
    "first_stage_in_flight": "micro_batches+ pipeline+ interleave?",
    "put_off_in_flight": "micro_batches+ pipeline+ weights_put_off+",
    "dualpipe_in_flight": "micro_batches+ pipeline+",
    "kept_activation_bytes": "tokens_at_once+ whole_bytes_per_position+ split_bytes_per_position+ tensor- whole_split-",
    "score_activation_bytes": "tokens_at_once+ keys+ heads+ tensor- bytes_per_score+",
    "logits_bytes": "tokens_at_once+ vocabulary+ tensor- bytes_per_logit+",
    "held_bytes": "state_bytes+ live_bytes+ reserved_bytes+ fragmentation+",
    # pipelines and steps
    "micro_batches": "global_batch+ data- micro_batch-",
    "fullest_stage_layers": "layers+ pipeline? interleave?",
    "last_stage_layers": "layers? pipeline? interleave?",
    "slowest_stage_seconds": "layer_seconds+ fullest_layers+ last_layers+ first_extra_seconds+ last_extra_seconds+",
    "lighter_end_seconds": "slowest_stage_seconds+ last_stage_seconds? longer_way_seconds- micro_batches+",
    "bubble_seconds": "all_stages_seconds+ slowest_stage_seconds- interleave?",
    "stage_hops": "pipeline? interleave+ ends-",
    "lockstep_slowdown": "ranks+ node_accelerators- whole_node_slowdown+",
    "zero_bubble_seconds": "forward_seconds+ input_seconds+ own_forward_seconds- own_weight_seconds- pipeline- "
    "micro_batches- weights_put_off-",
    "v_bubble_seconds": "forward_seconds+ input_seconds+ own_forward_seconds- own_weight_seconds? pipeline? "
    "micro_batches-",
    "dualpipe_bubble_seconds": "forward_seconds? input_seconds? weight_seconds? own_seconds- own_turn_seconds+ "
    "pipeline?",
    "exposed_seconds": "transfer_seconds+ cover_seconds- hidden_share-",
    "paired_exposed_seconds": "transfer_seconds+ cover_seconds? traffic_units+",
    "launch_bound_seconds": "launches+ launch_seconds+ device_seconds-",
    "straggler_slowdown": "nodes+ slowdown_per_doubling+",
    "model_flop_utilisation": "model_flop+ accelerators- peak_flop_per_s- step_seconds-",
    # optimizers and the host
    "factored_moment_bytes": "inputs+ outputs+ factor_bytes+",
    "newton_schulz_flop": "iterations+ shorter_side+ longer_side+ flop_per_multiply_add+",
    "host_link_seconds": "moved_bytes+ host_bytes_per_s-",
    "host_update_seconds": "moved_bytes+ memory_bytes_per_s- sharing+",
    # failures
    "cluster_mtbf_seconds": "nodes- failures_per_s-",
    "pessimistic_mtbf_seconds": "mtbf_seconds+ factor-",
    "young_interval_seconds": "write_seconds+ mtbf_seconds+",
    "checkpoint_interval_seconds": "write_seconds? mtbf_seconds+",
    "goodput": "interval_seconds? write_seconds- restart_seconds- mtbf_seconds+",
    "lost_seconds": "interval_seconds+ write_seconds+ restart_seconds+",
    "finish_seconds": "work_seconds+ progress_share- failure_seconds+ mtbf_seconds- deviations+",
    "save_seconds": "saved_bytes+ writers- writer_bytes_per_s- fixed_seconds+",
    "slow_node_slowdown": "nodes+ slow_share+ slowdown+ unnoticed_share+",
    "one_more_place": "blocked_share+ offered+ places-",
    "waited_per_full_second": "offered+ spares-",
    "passage_transform": "offered+ in_repair- delayed_share- frequency-",
    "restarting_share": "restart_seconds+ mtbf_seconds-",
    # scaling laws
    "affordable_tokens": "training_flop+ parameters- flop_per_token-",
    "loss_of_sizes": "parameter_count- token_count- floor+ parameter_scale+ token_scale+ parameter_exponent- "
    "token_exponent-",
    "best_parameters": "split_count+ parameter_scale+ token_scale- parameter_exponent? token_exponent?",
    "tokens_to_loss": "parameter_count- loss- floor+ parameter_scale+ token_scale+ parameter_exponent- token_exponent?",
    "kaplan_loss": "parameter_count- token_count- parameter_constant+ token_constant+ parameter_exponent+ "
    "token_exponent?",
    "grown_from_anchor": "anchor+ budget_flop+ anchor_flop- growth+",
    "critical_batch": "loss- critical_at_one_nat+ critical_exponent+",
    "lifetime_flop": "parameters+ trained_tokens+ served_tokens+ train_flop_per_token+ serve_flop_per_token+",
    # kernels
    "tile_height": "rows+ tile_rows+ least_tile_rows?",
    "busy_waves": "tiles+ compute_units- wave_softness+",
    "tiled_matmul_flop": "rows+ inner+ columns+ groups+ tile_rows? least_tile_rows? tile_columns? compute_units? "
    "wave_softness+ inner_ramp+ multiply_add_flop+",
    "matmul_traffic_bytes": "rows+ inner+ columns+ groups+ weight_bytes_per_element+ activation_bytes_per_element+ "
    "output_bytes_per_element+",
    "chain_seconds": "steps+ root_step_seconds+",
    "kernel_seconds": "work_flop+ moved_bytes+ peak_flop_per_s- memory_bytes_per_s- ceiling_share- memory_share- "
    "overlap_sharpness- fixed_seconds+",
    "attended_keys": "queries- keys+ causal-",
    "tiled_attention_flop": "queries? attended+ heads? kv_heads? head_dims+ sequences+ tile_rows? least_tile_rows? "
    "compute_units? wave_softness+ key_ramp+ softmax_dims+ products+ multiply_add_flop+",
    "attention_traffic_bytes": "queries+ keys+ heads+ query_dims+ cached_dims+ sequences+ "
    "activation_bytes_per_element+ kv_bytes_per_element+",
    "fused_attention_seconds": "queries? keys+ causal- heads? kv_heads? query_dims+ cached_dims+ sequences+ products+ "
    "activation_bytes_per_element+ kv_bytes_per_element+ tile_rows? least_tile_rows? wave_softness+ key_ramp+ "
    "softmax_dims+ ceiling_share- memory_share- overlap_sharpness? floor_seconds+ root_step_seconds+ peak_flop_per_s- "
    "memory_bytes_per_s- compute_units? multiply_add_flop+",
    "score_traffic_bytes": "queries+ keys+ heads+ sequences+ passes+ score_bytes_per_element+",
    "pass_seconds": "moved_bytes+ memory_bytes_per_s- memory_share- floor_seconds+",
    "cached_share": "moved_bytes- cache_bytes+",
    "packing_traffic_bytes": "rows+ inner+ columns+ groups+ packed_bytes_per_element+",
    "cached_pass_seconds": "moved_bytes+ single_bytes? memory_bytes_per_s- memory_share- floor_seconds+ "
    "cache_bytes? cache_share-",
    "expert_imbalance": "ranks+ tokens_per_rank+ skew+ half_tokens-",
    # operations of a transformer
    "matrix_parameters": "inputs+ outputs+ bias+",
    "matrix_flop": "flop_per_multiply_add+ positions+ inputs+ outputs+ active+",
    "full_pairs": "positions+",
    "causal_pairs": "positions+ reach+",
    "strided_pairs": "positions+ stride- reach+",
    "attention_flop": "flop_per_multiply_add+ pairs+ heads+ qk_width+ v_width+",
    "index_flop": "flop_per_multiply_add+ pairs+ index_heads+ index_width+",
    "state_flop": "flop_per_multiply_add+ positions+ state_elements+ passes+",
    "stored_bytes": "elements+ element_bytes+",
    "cached_positions": "positions+ window+",
}
"""Each formula, its arguments in order, and the direction of each."""

SHARES = {
    "acceptance", "arrival_variation", "ceiling_share", "change", "causal", "first_year_loss", "fragmentation",
    "growth", "headroom", "hidden_share", "idle_share", "later_loss", "link_share", "memory_share", "mixed_share",
    "progress_share", "ramp_power", "rate", "reserved_share", "skew", "slowdown_per_doubling", "stall", "utilisation",
    "software_log", "chip_log", "expert_share", "experts_log", "attention_share", "attention_log", "searched",
    "layout_log", "spread_log", "sigmas", "field_log", "traffic_units",
    "wave_softness", "yearly_loss", "yearly_rate", "drift", "spread", "basis_error", "error", "log_trend",
    "slow_share", "delayed_share", "slowdown", "unnoticed_share", "blocked_share", "first_log", "second_log",
    "third_log",
}  # fmt: skip
"""Arguments between 0 and 1."""
WHOLE = {
    "chosen", "columns", "compute_units", "data", "decode_steps", "domain", "drafts", "elapsed_periods", "experts",
    "fullest_layers", "global_batch", "groups", "heads", "inputs", "interleave", "inner", "keys", "kv_heads",
    "last_layers", "layers", "least_tile_rows", "micro_batch", "micro_batches", "nodes", "outputs", "periods",
    "pipeline", "places", "positions", "queries", "ranks", "reach", "rows", "sequences", "shards", "shares", "stages",
    "stride", "tensor", "tile_columns", "tile_rows", "tiles", "together", "tokens_at_once", "vocabulary",
    "whole_split", "window", "writers",
}  # fmt: skip
"""Arguments that count things, from 1."""
RANGES = {
    "chosen": (1, 8), "experts": (8, 64), "pipeline": (1, 8), "interleave": (1, 4), "layers": (64, 128),
    "queries": (1, 64), "keys": (64, 512), "overlap_sharpness": (1, 12), "pue": (1, 2), "factor": (1, 3),
    "failures_per_s": (1e-9, 1e-6), "write_seconds": (1, 60), "restart_seconds": (1, 600),
    "interval_seconds": (60, 3600),
    "mtbf_seconds": (4000, 40000), "life_years": (3, 8), "deviations": (0, 2), "domain": (2, 64), "ranks": (1, 64),
    "residual": (1, 40), "price": (50, 100), "heads": (8, 64), "kv_heads": (1, 8),
    "parameter_exponent": (0.2, 0.5), "token_exponent": (0.2, 0.5), "parameter_count": (1e9, 1e12),
    "token_count": (1e10, 1e13), "split_count": (1e20, 1e24), "floor": (1, 2), "tokens_to_loss.loss": (3, 4),
    "tokens_to_loss.parameter_scale": (1, 20), "tokens_to_loss.parameter_exponent": (0.3, 0.5), "loss": (1.5, 4),
    "parameter_constant": (1e13, 1e14), "token_constant": (1e13, 1e14), "budget_flop": (1e3, 1e4),
    "anchor_flop": (1e1, 1e2), "grown_from_anchor.growth": (0.2, 0.8), "critical_exponent": (0.1, 0.5),
    "kaplan_loss.parameter_exponent": (0.05, 0.2), "kaplan_loss.token_exponent": (0.05, 0.2),
    "ring_seconds.ranks": (100, 1000), "ring_seconds.inside_step_seconds": (1, 10),
    "ring_seconds.across_step_seconds": (10, 100), "answer_length.sigma_log": (0.1, 1.5),
    "answer_length.deviate": (0.5, 3), "waiting_seconds.ahead": (0, 1),
}  # fmt: skip
"""Arguments whose meaning asks for bounds of their own, some in one formula alone: a node has a rank or more, and the
way between nodes is the longer."""
