import com.fasterxml.jackson.databind.MappingIterator;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.SimpleStreamFormat;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.windowing.assigners.TumblingProcessingTimeWindows;

/** Flink, its cluster in this JVM, one slot. Objects are reused ("When enabled objects that Flink internally uses for deserialization and passing data to
 *  user-code functions will be reused", pipeline.object-reuse), and a window aggregates as it goes ("The first two [ReduceFunction, AggregateFunction] can
 *  be executed more efficiently ... because Flink can incrementally aggregate the elements for each window as they arrive", Windows). */
class Flink implements Peer.Job {
    static class Lines extends SimpleStreamFormat<Reading> {
        @Override
        public Reader<Reading> createReader(Configuration config, FSDataInputStream stream) throws IOException {
            MappingIterator<Reading> readings = Reading.READER.readValues(stream);
            return new Reader<>() {
                @Override
                public Reading read() throws IOException { return readings.hasNextValue() ? readings.nextValue() : null; }

                @Override
                public void close() throws IOException { readings.close(); }
            };
        }

        @Override
        public TypeInformation<Reading> getProducedType() { return TypeInformation.of(Reading.class); }
    }

    static class Averages implements AggregateFunction<Reading, Average, Average> {
        @Override
        public Average createAccumulator() { return new Average(); }

        @Override
        public Average add(Reading reading, Average a) { return a.add(reading); }

        @Override
        public Average getResult(Average a) { return a; }

        @Override
        public Average merge(Average a, Average b) {
            a.sum += b.sum;
            a.n += b.n;
            a.max = Math.max(a.max, b.max);
            return a;
        }
    }

    /** All passes in one job: starting and ending a cluster is not of the work. */
    private static Path[] paths(File feed) {
        Path[] paths = new Path[Peer.passes];
        Arrays.fill(paths, new Path(feed.toURI()));
        return paths;
    }

    public void main(File feed) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1);
        env.getConfig().enableObjectReuse();
        DataStream<Reading> readings = env.fromSource(FileSource.forRecordStreamFormat(new Lines(), paths(feed)).build(),
                                                      WatermarkStrategy.noWatermarks(), "feed");
        readings.filter(r -> Peer.see() && r.metric.equals("temperature"))
            .keyBy(r -> r.device)
            .window(TumblingProcessingTimeWindows.of(Duration.ofSeconds(5)))
            .aggregate(new Averages())
            .sinkTo(new DiscardingSink<>());
        env.execute();
    }
}
